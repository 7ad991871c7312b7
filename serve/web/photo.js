// One photo and what the server said of it → a figure with boxes and names, or with the error by name.

import { STRANGER } from "./decide.js";
import { el } from "./dom.js";

const TINY = 0.06; // of the photo's width: names of smaller faces would cover each other; they show on hover and focus

const share = (part, whole) => `${(100 * part) / whole}%`;

/** Return the figure of a photo that the server is still looking at. */
export function waitingFigure(file) {
  return el("figure", { class: "photo" }, el("p", { class: "note waiting", text: "looking …" }), caption(file.name));
}

/** Return the figure of a photo that could not be used. */
export function failedFigure(file, error) {
  const code = el("code", { text: error.code ?? "error in the page" });
  return el("figure", { class: "photo" }, el("p", { class: "problem" }, `${error.message} `, code), caption(file.name));
}

/**
 * Return the figure of a photo with its faces.
 * @param {string} name of the file.
 * @param {string} url of the picture.
 * @param {object} image as the server answered it.
 * @param {object[]} decisions one for each face; see decide.js.
 */
export function photoFigure(name, url, image, decisions) {
  const picture = el("img", { src: url, alt: "", width: image.width, height: image.height });
  const stage = el("div", { class: "stage" }, picture, ...image.faces.map((face, index) => box(face, decisions[index], image)));
  // The shape is known even where the browser cannot show the format: the boxes then lie on a grey area.
  picture.addEventListener("error", () => {
    stage.style.aspectRatio = `${image.width} / ${image.height}`;
    stage.classList.add("unseen");
    picture.remove();
  });
  const names = decisions.map(({ name: who }) => who);
  return el("figure", { class: "photo" }, stage, caption(name, names.length ? names.join(", ") : "no face found"));
}

function caption(file, text) {
  const parts = [el("span", { class: "file", text: file })];
  if (text) parts.push(el("span", { class: "names", text }));
  return el("figcaption", {}, ...parts);
}

function box(face, decision, image) {
  const { x1, y1, x2, y2 } = face.box;
  const member = decision.person !== null;
  const made = el(
    "button",
    { type: "button", class: `box ${member ? "member" : "stranger"}`, "aria-label": `${decision.name}: ${facts(decision).join(", ")}` },
    el("span", { class: "name", text: decision.name }),
    tip(face, decision),
  );
  Object.assign(made.style, {
    left: share(x1, image.width),
    top: share(y1, image.height),
    width: share(x2 - x1, image.width),
    height: share(y2 - y1, image.height),
  });
  made.classList.toggle("tiny", x2 - x1 < TINY * image.width);
  made.classList.toggle("low", y2 > 0.6 * image.height);
  made.classList.toggle("right", x1 + x2 > 1.2 * image.width);
  return made;
}

function facts({ similarity, threshold, margin, name }) {
  const rows = [similarity > -1 ? `similarity ${similarity.toFixed(3)}` : "nobody to compare with", `threshold ${threshold.toFixed(3)}`];
  if (margin !== null) rows.push(`margin ${margin.toFixed(3)}`);
  if (name === STRANGER && similarity > threshold) rows.push("that person is already named in this photo");
  return rows;
}

function tip(face, decision) {
  const listed = face.candidates.slice(0, 3).map((each) =>
    el("span", { class: "candidate" }, el("span", { text: each.name }), el("span", { text: each.similarity.toFixed(3) })),
  );
  const rows = facts(decision).map((text) => el("span", { text }));
  return el("span", { class: "tip", "aria-hidden": "true" }, ...rows, ...(listed.length ? [el("span", { class: "rule" })] : []), ...listed);
}
