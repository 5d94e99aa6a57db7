// The inbox by keyboard. Everything it does has a link or a button of its own on the page.
"use strict";

const KEYS = {
  j: () => go(1),
  k: () => go(-1),
  o: () => link(document.activeElement.closest("#list ~ ul > li"))?.click(),
  e: () => document.querySelector('#opened button[value="done"]')?.click(),
  "/": () => document.querySelector('input[type="search"]')?.focus(),
};

function link(row) {
  return row?.querySelector("a[aria-label]");
}

/** Move the focus to the next mention, from the one that has it, or from the one that is open. */
function go(step) {
  const rows = [...document.querySelectorAll("#list ~ ul > li")];
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const from = here >= 0 ? here : rows.findIndex((row) => row.matches(".open"));
  const to = from < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, from + step));
  link(rows[to])?.focus();
}

document.addEventListener("keydown", (event) => {
  const isWriting = event.target.closest("input, textarea, select");
  if (isWriting || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});
