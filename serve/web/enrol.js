// Enrols photos of one person, and shows why photos were refused.

import { at, call, each } from "./api.js";
import { announce, byId, count, el } from "./dom.js";
import { takesFiles } from "./drop.js";

/**
 * Enrol photos of a person who exists.
 * @returns {{added: number, known: number, refused: object[], warnings: object[]}} of the last two: name, code and detail.
 */
export async function enrolPhotos(gallery, person, files) {
  const done = { added: 0, known: 0, refused: [], warnings: [] };
  await each(files, async (file) => {
    try {
      const answer = await call("POST", `${at(gallery.name, person.id)}/photos`, file);
      for (const { duplicate } of answer.enrolled) done[duplicate ? "known" : "added"] += 1;
      for (const { code, detail } of answer.warnings) done.warnings.push({ name: file.name, code, detail: `enrolled, but ${detail}` });
    } catch (error) {
      done.refused.push({ name: file.name, code: error.code ?? "error in the page", detail: error.message });
    }
  });
  return done;
}

/** Return the result as elements. */
export function report(name, { added, known, refused, warnings }) {
  const parts = [`${name}: ${count(added, "photo")} enrolled`];
  if (known) parts.push(`${known} known before`);
  if (refused.length) parts.push(`${refused.length} refused`);
  if (warnings.length) parts.push(`${count(warnings.length, "warning")}`);
  const text = parts.join(", ");
  announce(text);
  const rows = [...refused, ...warnings].map((each) =>
    el("li", {}, el("strong", { text: each.name }), `: ${each.detail} `, el("code", { text: each.code })),
  );
  return el("div", { class: rows.length ? "report problem" : "report good" }, el("p", { text }), ...(rows.length ? [el("ul", {}, ...rows)] : []));
}

/**
 * Let the user add people.
 * @param {() => ?object} gallery the one that is chosen.
 * @param {() => Promise<void>} changed is called when people have changed.
 */
export function addsPeople(gallery, changed) {
  const form = byId("enrol");
  const name = byId("enrol-name");
  const action = byId("enrol-action");
  const prompt = [...byId("enrol-chosen").childNodes];
  let files = [];

  function choose(chosen) {
    files = chosen;
    const text = `${count(files.length, "photo")}: ${files.map((file) => file.name).join(", ")}`;
    byId("enrol-chosen").replaceChildren(...(files.length ? [text] : prompt));
  }

  takesFiles(byId("enrol-photos"), (more) => {
    choose([...files, ...more]);
    if (!name.value) name.focus();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const into = gallery();
    if (into === null) return;
    if (!files.length) return byId("enrol-files").click();
    action.disabled = true;
    byId("enrol-report").replaceChildren(el("p", { class: "note waiting", text: `enrolling ${count(files.length, "photo")} …` }));
    try {
      byId("enrol-report").replaceChildren(await enrolNamed(into, name.value, files));
      form.reset();
      choose([]);
    } catch (error) {
      byId("enrol-report").replaceChildren(el("p", { class: "problem", text: `${error.message} (${error.code ?? "error in the page"})` }));
    }
    action.disabled = false;
    await changed();
  });
}

/** Enrol photos under a name. A new person is created, and erased again if no photo can be used. */
async function enrolNamed(gallery, name, files) {
  const people = `${at(gallery.name)}/people`;
  const known = (await call("GET", `${people}?limit=2&name=${encodeURIComponent(name)}`)).people;
  if (known.length > 1) {
    return el("p", { class: "problem", text: `Several people are called ${known[0].name}. Drop the photos on the row of the right one.` });
  }
  const person = known[0] ?? (await call("POST", people, { name }));
  const done = await enrolPhotos(gallery, person, files);
  if (!known.length && !done.added && !done.known) {
    await call("DELETE", at(gallery.name, person.id));
    const told = report(person.name, done);
    told.prepend(el("p", { text: `${person.name} was not added: no photo could be used.` }));
    return told;
  }
  return report(person.name, done);
}
