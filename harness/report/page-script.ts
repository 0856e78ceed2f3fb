/** The page works without this; it opens what a link points to, and remembers the theme. */
export const PAGE_SCRIPT = `
"use strict";
const root = document.documentElement;
const theme = document.getElementById("theme");
const remembered = () => { try { return localStorage.getItem("twintrack-theme"); } catch { return null; } };
const remember = (value) => { try { localStorage.setItem("twintrack-theme", value); } catch {} };
const applyTheme = (value) => { if (value === "light" || value === "dark") root.dataset.theme = value; else delete root.dataset.theme; };
theme.value = remembered() || "system";
applyTheme(theme.value);
theme.addEventListener("change", () => { applyTheme(theme.value); remember(theme.value); });

const targetOf = (hash) => {
  const raw = hash.slice(1);
  return document.getElementById(raw) || document.getElementById(decodeURI(raw));
};
const reveal = () => {
  if (location.hash.length < 2) return;
  let target = null;
  try { target = targetOf(location.hash); } catch { return; }
  if (!target) return;
  for (let box = target; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
  target.scrollIntoView({ block: "start" });
  const focus = target.tagName === "DETAILS" ? target.querySelector("summary") : target;
  focus.focus({ preventScroll: true });
};
addEventListener("hashchange", reveal);
// After load, because the browser's own jump to the fragment takes the focus away again.
addEventListener("load", () => setTimeout(reveal));

const all = [...document.querySelectorAll("details.divergence")];
const expand = document.getElementById("expand");
expand.hidden = all.length === 0;
expand.addEventListener("click", () => {
  const open = all.some((box) => !box.open);
  for (const box of all) box.open = open;
  expand.textContent = open ? "Close all" : "Open all";
});
for (const box of all) {
  // A reader who opens a divergence has its link in the address bar, without a jump.
  box.firstElementChild.addEventListener("click", () => {
    if (!box.open) try { history.replaceState(null, "", "#" + box.id); } catch {}
  });
}

let opened = [];
addEventListener("beforeprint", () => { opened = all.filter((box) => !box.open); for (const box of opened) box.open = true; });
addEventListener("afterprint", () => { for (const box of opened) box.open = false; });
`;
