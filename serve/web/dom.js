// Creates elements from data. All data becomes text, never markup.

/** Return the element of this id. */
export const byId = (id) => document.getElementById(id);

/**
 * Return a new element.
 * @param {string} tag
 * @param {object} properties attributes by name; `on` holds listeners, `text` the text, true is an empty attribute,
 *     and null, undefined and false leave the attribute out.
 * @param {...(Node|string)} children
 */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (name === "text") made.textContent = value;
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** Return "1 photo", "2 photos", "2 people". */
export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** Announce a text to screen readers. */
export function announce(text) {
  byId("announcement").textContent = text;
}
