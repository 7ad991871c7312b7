// The gallery's threshold. Moving it decides again on the faces shown; saving it changes the gallery.

import { at, call } from "./api.js";
import { deciding } from "./decide.js";
import { announce, byId, el } from "./dom.js";

/** The slider with its number, and marks for the faces shown. */
export class Threshold {
  #gallery = null;
  #moved;

  /** @param {(threshold: number) => void} moved is called with each new value. */
  constructor(moved) {
    this.#moved = moved;
    this.slider = byId("threshold-slider");
    this.number = byId("threshold-number");
    this.save = byId("threshold-save");
    this.reset = byId("threshold-reset");
    this.slider.addEventListener("input", () => this.#set(this.slider.value));
    this.number.addEventListener("input", () => this.number.checkValidity() && this.#set(this.number.value, false));
    this.reset.addEventListener("click", () => this.#set(this.#gallery.threshold));
    byId("threshold").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** The current value, saved or not. */
  value = 0;

  /** Show the threshold of a gallery. */
  show(gallery) {
    this.#gallery = gallery;
    byId("threshold").hidden = gallery === null;
    byId("threshold-note").hidden = gallery === null;
    if (gallery !== null) this.#set(gallery.threshold);
  }

  /** Mark on the scale the similarity, or the score, of each face shown with its best candidate. */
  mark(decisions) {
    const marks = decisions.filter((each) => deciding(each) >= 0).map((each) => {
      const mark = el("span", { class: each.person === null ? "stranger" : "member" });
      mark.style.left = `${100 * deciding(each)}%`;
      return mark;
    });
    byId("marks").replaceChildren(...marks);
  }

  #set(value, all = true) {
    this.value = Number(value);
    this.slider.value = value;
    if (all) this.number.value = value;
    const changed = this.value !== this.#gallery.threshold;
    this.save.disabled = !changed;
    this.reset.hidden = !changed;
    byId("threshold-note").textContent = changed
      ? `Tried on the photos below only. The gallery answers with ${this.#gallery.threshold} until it is saved.`
      : "A face is named when its similarity to a member exceeds this. Move it to try another on the photos below.";
    this.#moved(this.value);
  }

  async #send() {
    try {
      this.#gallery = await call("PATCH", at(this.#gallery.name), { threshold: this.value });
      this.#set(this.#gallery.threshold);
      announce("The threshold is saved.");
    } catch (error) {
      byId("threshold-note").textContent = `Not saved: ${error.message} (${error.code})`;
    }
  }
}
