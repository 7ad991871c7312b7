// Calls the HTTP API of this page's server. A call returns JSON or throws a Problem.

const RETRIES = 4;

/** An error of the server with its stable code, or `unreachable`. */
export class Problem extends Error {
  constructor(code, detail) {
    super(detail);
    this.code = code;
  }
}

/** Return the path of a gallery, of a person in it, or of one photo. */
export function at(gallery, person, photo) {
  let path = `/v1/galleries/${encodeURIComponent(gallery)}`;
  if (person !== undefined) path += `/people/${encodeURIComponent(person)}`;
  if (photo !== undefined) path += `/photos/${encodeURIComponent(photo)}`;
  return path;
}

/**
 * Return the JSON that the server answers.
 * @param {string} method
 * @param {string} path
 * @param {object|File} [body] an object is sent as JSON, a file as it is.
 * @throws {Problem}
 */
export async function call(method, path, body) {
  const json = body !== undefined && !(body instanceof Blob);
  const type = json ? "application/json" : "application/octet-stream";
  const request = { method, headers: body === undefined ? {} : { "content-type": type }, body: json ? JSON.stringify(body) : body };
  for (let tries = 0; ; tries += 1) {
    const answer = await send(path, request);
    const read = await answer.json().catch(() => null);
    if (answer.ok) return read;
    if (answer.status !== 429 || tries === RETRIES) {
      throw new Problem(read?.code ?? "internal_error", read?.detail ?? `the server answered ${answer.status}`);
    }
    const seconds = Number(answer.headers.get("retry-after")) || 1;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

/** Return the items of all pages of a list. */
export async function all(path, field) {
  const rows = [];
  for (let after = ""; after !== null;) {
    const page = await call("GET", `${path}?limit=1000&after=${encodeURIComponent(after)}`);
    rows.push(...page[field]);
    after = page.next;
  }
  return rows;
}

/** Do something with each item, a few at once; the server gathers them into batches. */
export async function each(items, act, atOnce = 4) {
  const waiting = [...items];
  const worker = async () => {
    while (waiting.length) await act(waiting.shift());
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function send(path, request) {
  try {
    return await fetch(path, request);
  } catch {
    // This also fails if a file was moved or changed after it was chosen.
    const reason = request.body instanceof File ? "the server does not answer, or the file cannot be read" : "the server does not answer";
    throw new Problem("unreachable", reason);
  }
}
