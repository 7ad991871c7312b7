// Calls back with files that are dropped on a place or chosen in its file field.

/**
 * Take files in a place.
 * @param {HTMLElement} place that is dropped on; a file field inside is listened to as well.
 * @param {(files: File[]) => void} take
 */
export function takesFiles(place, take) {
  const give = (files) => files.length && take([...files]);
  place.addEventListener("dragover", (event) => {
    event.preventDefault();
    place.classList.add("over");
  });
  place.addEventListener("dragleave", (event) => {
    if (!place.contains(event.relatedTarget)) place.classList.remove("over");
  });
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    give(event.dataTransfer.files);
  });
  const field = place.querySelector("input[type=file]");
  field?.addEventListener("change", () => {
    give(field.files);
    field.value = "";
  });
}

/** Stop the browser from opening a photo that is dropped beside its place. */
export function ignoreStrayFiles() {
  for (const event of ["dragover", "drop"]) window.addEventListener(event, (stray) => stray.preventDefault());
}
