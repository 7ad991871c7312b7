// Draws a figure of a photo with boxes and names, or with its error.

import { countOf, NOT_LIVE, POOR, STRANGER } from "./decide.js";
import { el } from "./dom.js";

// Shares of the photo's width. Names of smaller faces would cover each other, so they show on hover and focus.
const TINY = { member: 0.06, stranger: 0.2, poor: 0.2 };

const share = (part, whole) => `${(100 * part) / whole}%`;

/** Return the figure of a photo whose answer is still to come. */
export function waitingFigure(file) {
  return el("figure", { class: "photo" }, el("p", { class: "note waiting", text: "looking …" }), caption(file.name));
}

/** Return the figure of a photo that could not be used. */
export function failedFigure(file, error) {
  const code = el("code", { text: error.code ?? "error in the page" });
  return el("figure", { class: "photo" }, el("p", { class: "problem" }, `${error.message} `, code), caption(file.name));
}

/**
 * Return the figure of a photo that was looked at, without its faces yet.
 * @param {File} file
 * @param {string} url of the picture.
 * @param {object} image as the server answered it.
 */
export function photoFigure(file, url, image) {
  const picture = el("img", { src: url, alt: "", width: image.width, height: image.height });
  const stage = el("div", { class: "stage" }, picture);
  // The shape is known even if the browser cannot show the format. The boxes then lie on a grey area.
  picture.addEventListener("error", () => {
    stage.style.aspectRatio = `${image.width} / ${image.height}`;
    stage.classList.add("unseen");
    picture.remove();
  });
  return el("figure", { class: "photo" }, stage, caption(file.name));
}

/**
 * Draw the faces of a photo into its figure, in place of those drawn before; one decision for each, see decide.js.
 * `denied` is called with the number of a member's face that is pressed; null: nothing is, as that is not allowed.
 */
export function drawFaces(figure, image, decisions, denied) {
  const stage = figure.firstElementChild;
  for (const old of stage.querySelectorAll(".box")) old.remove();
  stage.append(...image.faces.map((face, index) => box(face, decisions[index], image, denied && (() => denied(index)))));
  figure.querySelector(".names").textContent = summary(decisions);
}

/** Return the members' names, and how many faces are nobody's, too poor or not live. */
function summary(decisions) {
  if (!decisions.length) return "no face found";
  const names = decisions.filter(({ person }) => person !== null).map(({ name }) => name);
  for (const none of [STRANGER, POOR, NOT_LIVE]) {
    const some = countOf(decisions, none);
    if (some) names.push(decisions.length === 1 ? none : `${some} ${none}`);
  }
  return names.join(", ");
}

function caption(file) {
  return el("figcaption", {}, el("span", { class: "file", text: file }), el("span", { class: "names" }));
}

function box(face, decision, image, denied) {
  const { x1, y1, x2, y2 } = face.box;
  const member = decision.person !== null;
  const kind = member ? "member" : decision.reasons.length ? "poor" : "stranger";
  const made = el(
    "button",
    {
      type: "button",
      class: `box ${kind}`,
      "aria-label": `${decision.name}: ${facts(decision).join(", ")}${member && denied ? "; press if it is somebody else" : ""}`,
      on: member && denied ? { click: denied } : {},
    },
    el("span", { class: "name", text: decision.name }),
    tip(face, decision, denied),
  );
  Object.assign(made.style, {
    left: share(x1, image.width),
    top: share(y1, image.height),
    width: share(x2 - x1, image.width),
    height: share(y2 - y1, image.height),
  });
  made.classList.toggle("tiny", image.faces.length > 1 && x2 - x1 < TINY[kind] * image.width);
  made.classList.toggle("low", y2 > 0.6 * image.height);
  made.classList.toggle("right", x1 + x2 > 1.2 * image.width);
  return made;
}

function facts({ similarity, score, threshold, margin, name, reasons }) {
  if (name === NOT_LIVE) return [reasons.includes("not_live") ? "this may be a picture of a face" : "too small to see whether it is live"];
  if (reasons.length) return ["too poor to be named:", ...reasons.map((code) => code.replaceAll("_", " "))];
  const rows = [similarity > -1 ? `similarity ${similarity.toFixed(3)}` : "nobody to compare with", `threshold ${threshold.toFixed(3)}`];
  if (margin !== null) rows.push(`margin ${margin.toFixed(3)}`);
  if (score != null) rows.splice(1, 0, `score by the cohort ${score.toFixed(3)}`);
  if (name === STRANGER && (score ?? similarity) > threshold) rows.push("that person is already named in this photo");
  return rows;
}

function tip(face, decision, denied) {
  const listed = face.candidates.slice(0, 3).map((each) =>
    el("span", { class: "candidate" }, el("span", { text: each.name }), el("span", { text: (each.score ?? each.similarity).toFixed(3) })),
  );
  const rows = facts(decision).map((text) => el("span", { text }));
  if (decision.person !== null && denied) rows.push(el("span", { text: "press if it is somebody else" }));
  return el("span", { class: "tip", "aria-hidden": "true" }, ...rows, ...(listed.length ? [el("span", { class: "rule" })] : []), ...listed);
}
