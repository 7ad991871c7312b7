// Asks /readyz every few seconds for the status line, and shows an alarm if something is wrong.

import { byId } from "./dom.js";

const SECONDS = 10;

/**
 * Keep the status line up to date.
 * @param {(about: object) => void} learnt is called with the server's description of itself, each time it is ready.
 */
export async function watch(learnt) {
  const about = await ask();
  show(about);
  if (about.status === "ready" || about.status === "degraded") learnt(about);
  setTimeout(() => watch(learnt), 1000 * SECONDS);
}

async function ask() {
  try {
    const answer = await fetch("/readyz", { cache: "no-store" });
    return await answer.json();
  } catch {
    return { status: "unreachable", detail: "the server does not answer" };
  }
}

function show(about) {
  const line = byId("status");
  const alarm = byId("alarm");
  line.dataset.status = about.status;
  line.textContent = words(about);
  alarm.hidden = about.status === "ready" && !about.detail;
  const text = about.status === "ready" ? about.detail ?? "" : loud(about);
  // Setting it each time would announce it again.
  if (alarm.textContent !== text) alarm.textContent = text;
}

function words(about) {
  if (about.status === "unreachable" || !about.engine) return about.status;
  const detector = about.detector ? ` · detector ${about.detector.engine} on ${about.detector.device}` : "";
  return `${about.status} · ${about.network} · ${about.engine} on ${about.device}${detector} · store ${about.store}`;
}

function loud(about) {
  const lost = "Degraded: the store lost data. Known people are still named, from what was read last; nothing can be saved.";
  const known = {
    degraded: about.store === "went_back" ? lost : "Degraded: the store does not answer. Known people are still named, from what was read last; nothing can be saved.",
    starting: "The server is starting.",
    unreachable: "The server does not answer.",
  };
  return [known[about.status] ?? about.status, about.detail].filter(Boolean).join(" — ");
}
