// The page: sign in, choose a gallery, see its people, identify photos. Each other file has one part of it.

import { addsPeople } from "./enrol.js";
import { ignoreStrayFiles } from "./drop.js";
import { byId } from "./dom.js";
import { chooseGallery } from "./galleries.js";
import { Photos } from "./identify.js";
import { looksAfterKeys } from "./keys.js";
import { People } from "./people.js";
import { begin, may } from "./session.js";
import { watch } from "./status.js";
import { Threshold } from "./threshold.js";
import { looksAfterUsers } from "./users.js";
import { chooseView } from "./views.js";

let gallery = null;
let network = null;

const threshold = new Threshold((value) => photos.decideWith(value));
const photos = new Photos((decisions) => threshold.mark(decisions));
const people = new People(changed);

async function changed() {
  photos.outdated();
  await showPeople();
}

/** Show the people of the gallery to those who may see them. */
async function showPeople() {
  if (may("enrol", "manage")) await people.show(gallery);
}

/** A gallery of another network can be looked at, but this server cannot recognise anybody in it. */
function warnOfOtherNetwork() {
  const other = gallery !== null && network !== null && gallery.network !== network;
  const warning = byId("network-warning");
  warning.hidden = !other;
  if (other) warning.textContent = `This gallery was made with ${gallery.network}, and the server runs ${network}: it cannot identify or enrol anybody here.`;
}

function start(session) {
  if (!session.asked) byId("keys-note").textContent += " The first key, or user, closes this server: from then on everybody is asked for one.";
  chooseView({ keys: looksAfterKeys(), users: looksAfterUsers() });
  addsPeople(() => gallery, changed);
  if (!may("identify", "verify", "enrol", "manage", "cameras", "events")) return;
  chooseGallery((chosen) => {
    gallery = chosen;
    photos.show(gallery);
    threshold.show(gallery);
    showPeople();
    warnOfOtherNetwork();
  });
}

ignoreStrayFiles();
begin(start);
watch((about) => {
  network = about.network;
  warnOfOtherNetwork();
});
