// The page: choose a gallery, see its people, identify photos. Each other file has one part of it.

import { addsPeople } from "./enrol.js";
import { ignoreStrayFiles } from "./drop.js";
import { byId } from "./dom.js";
import { chooseGallery } from "./galleries.js";
import { Photos } from "./identify.js";
import { People } from "./people.js";
import { watch } from "./status.js";
import { Threshold } from "./threshold.js";

let gallery = null;
let network = null;

const threshold = new Threshold((value) => photos.decideWith(value));
const photos = new Photos((decisions) => threshold.mark(decisions));
const people = new People(changed);

async function changed() {
  photos.outdated();
  await people.show(gallery);
}

/** A gallery of another network can be looked at, but this server cannot recognise anybody in it. */
function warnOfOtherNetwork() {
  const other = gallery !== null && network !== null && gallery.network !== network;
  const warning = byId("network-warning");
  warning.hidden = !other;
  if (other) warning.textContent = `This gallery was made with ${gallery.network}, and the server runs ${network}: it cannot identify or enrol anybody here.`;
}

ignoreStrayFiles();
addsPeople(() => gallery, changed);
chooseGallery((chosen) => {
  gallery = chosen;
  photos.show(gallery);
  threshold.show(gallery);
  people.show(gallery);
  warnOfOtherNetwork();
});
watch((about) => {
  network = about.network;
  warnOfOtherNetwork();
});
