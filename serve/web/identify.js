// Identifies photos and shows them with names. The server's answers are kept, to decide again at another threshold.

import { at, call, each } from "./api.js";
import { countOf, decide, NOT_LIVE, POOR } from "./decide.js";
import { confirmed } from "./dialogs.js";
import { announce, byId, count, el } from "./dom.js";
import { takesFiles } from "./drop.js";
import { may } from "./session.js";
import { drawFaces, failedFigure, photoFigure, waitingFigure } from "./photo.js";

const CANDIDATES = 20; // enough for a face that loses its best person to another face, as on the server

/** The photos shown, of one gallery. */
export class Photos {
  #gallery = null;
  #shown = [];
  #threshold = 0;
  #decided;

  /** @param {(decisions: object[]) => void} decided is called with the decisions on all faces shown. */
  constructor(decided) {
    this.#decided = decided;
    takesFiles(byId("identify"), (files) => this.add(files));
    byId("clear").addEventListener("click", () => this.show(this.#gallery));
    byId("again").addEventListener("click", () => this.#ask(this.#shown));
  }

  /** Start again with a gallery, or without one. */
  show(gallery) {
    this.#gallery = gallery;
    for (const { url } of this.#shown) URL.revokeObjectURL(url);
    this.#shown = [];
    byId("photos").replaceChildren();
    byId("identify-files").disabled = gallery === null;
    this.#tell();
  }

  /** Identify photos; each is shown as soon as its answer is there. */
  async add(files) {
    if (this.#gallery === null) return;
    const added = files.map((file) => ({ file, url: URL.createObjectURL(file), image: null, figure: waitingFigure(file) }));
    this.#shown.unshift(...added);
    byId("photos").prepend(...added.map(({ figure }) => figure));
    await this.#ask(added);
  }

  /** Decide again on all faces shown, with another threshold. */
  decideWith(threshold) {
    this.#threshold = threshold;
    for (const photo of this.#shown) if (photo.image) this.#draw(photo);
    this.#tell();
  }

  /** Tell that people have changed, so that the answers shown may be out of date. */
  outdated() {
    byId("again").hidden = this.#shown.length === 0;
  }

  async #ask(photos) {
    const gallery = this.#gallery;
    byId("again").hidden = true;
    await each(photos, async (photo) => {
      try {
        const query = new URLSearchParams({ candidates: CANDIDATES });
        const answer = await call("POST", `${at(gallery.name)}/identify?${query}`, photo.file);
        photo.image = answer.images[0];
        this.#replace(photo, photoFigure(photo.file, photo.url, photo.image));
        this.#draw(photo);
      } catch (error) {
        photo.image = null;
        this.#replace(photo, failedFigure(photo.file, error));
      }
      this.#tell();
    });
    announce(byId("summary").textContent);
  }

  #draw(photo) {
    photo.decisions = decide(photo.image.faces, this.#threshold, this.#gallery.unique);
    drawFaces(photo.figure, photo.image, photo.decisions, may("enrol", "manage") ? (face) => this.#deny(photo, face) : null);
  }

  /** Make a face a counter-example of the person whose name it got, and look at all photos again. */
  async #deny(photo, face) {
    const { person, name } = photo.decisions[face];
    const text = "This face does not get that name again, nor do faces that are more like it.";
    if (!(await confirmed(`Not ${name}?`, text, `Not ${name}`))) return;
    const path = `${at(this.#gallery.name, person)}/counter-examples?face=${face}`;
    try {
      await call("POST", `${path}&strict=true`, photo.file).catch(async (error) => {
        if (error.code !== "looks_like_own") throw error;
        if (await confirmed(`Really not ${name}?`, `${error.message}.`, `Not ${name}`)) await call("POST", path, photo.file);
      });
      await this.#ask(this.#shown);
    } catch (error) {
      photo.figure.querySelector(".problem")?.remove();
      photo.figure.append(el("p", { class: "problem", role: "alert", text: `${error.message} (${error.code ?? "error in the page"})` }));
    }
  }

  #replace(photo, figure) {
    photo.figure.replaceWith(figure);
    photo.figure = figure;
  }

  #tell() {
    const decisions = this.#shown.flatMap(({ image, decisions: made }) => (image ? made : []));
    const named = decisions.filter(({ person }) => person !== null).length;
    const poor = countOf(decisions, POOR);
    const copies = countOf(decisions, NOT_LIVE);
    const strangers = decisions.length - named - poor - copies;
    byId("clear").hidden = byId("summary").hidden = this.#shown.length === 0;
    byId("again").hidden ||= this.#shown.length === 0;
    byId("summary").textContent =
      `${count(this.#shown.length, "photo")}, ${count(decisions.length, "face")}: ${named} named, ${strangers} not in the dataset` +
      (poor ? `, ${poor} of poor quality` : "") +
      (copies ? `, ${copies} not live` : "");
    this.#decided(decisions);
  }
}
