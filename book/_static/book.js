"use strict";

// docutils calls the bibliography a list, but its entries are none; a screen reader would be told of an empty one
function forgetEmptyLists() {
  for (const list of document.querySelectorAll(".citation-list")) list.removeAttribute("role");
}

// The theme opens each sidebar as a dialog where the page is narrow. Here it gets a button to close it, closes when one of its
// links is followed, and its menu button tells whether it is open.
function finishDrawer(name) {
  const [button, sidebar, dialog] = [`.${name}-toggle`, `#pst-${name}-sidebar`, `#pst-${name}-sidebar-modal`].map((s) => document.querySelector(s));
  if (!button || !sidebar || !dialog) return;
  const close = Object.assign(document.createElement("button"), { className: "close-drawer", type: "button", textContent: "×" });
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", () => dialog.close());
  sidebar.prepend(close);
  dialog.setAttribute("aria-label", button.getAttribute("aria-label"));
  dialog.addEventListener("click", (event) => { if (event.target.closest("a")) dialog.close(); });
  const wide = window.matchMedia("(min-width: 992px)");
  const tell = () => button.setAttribute("aria-expanded", dialog.open || (name === "primary" && wide.matches && !sidebar.classList.contains("pst-sidebar-hidden")));
  new MutationObserver(tell).observe(dialog, { attributes: true, attributeFilter: ["open"] });
  new MutationObserver(tell).observe(sidebar, { attributes: true, attributeFilter: ["class"] });
  wide.addEventListener("change", tell);
  tell();
}

// A click on a figure shows it larger than the page, to be scrolled over; without scripts the link opens the file.
function showLarger(link) {
  const image = link.querySelector("img");
  const dialog = document.createElement("dialog");
  dialog.id = "larger";
  dialog.setAttribute("aria-label", "Larger figure");
  dialog.innerHTML = `<div class="buttons"><a href="${link.href}" download>Download</a>
    <button type="button" aria-label="Smaller">−</button><button type="button" aria-label="Larger">+</button>
    <button type="button" aria-label="Close" autofocus>×</button></div><div class="picture" tabindex="0"></div>`;
  const picture = Object.assign(new Image(), { src: link.href, alt: image.alt, className: image.className });
  dialog.querySelector(".picture").append(picture);
  let width = Math.max(window.innerWidth - 16, 2 * image.naturalWidth);
  const size = (factor) => { width = Math.min(8000, Math.max(300, width * factor)); picture.style.width = `${width}px`; };
  size(1);
  const [smaller, larger, close] = dialog.querySelectorAll("button");
  smaller.addEventListener("click", () => size(1 / 1.4));
  larger.addEventListener("click", () => size(1.4));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
  document.body.append(dialog);
  dialog.showModal();
}

// Scripts that few pages need, in the order given.
async function load(...names) {
  for (const name of names)
    await new Promise((loaded, failed) => {
      const script = Object.assign(document.createElement("script"), { onload: loaded, onerror: failed });
      script.src = `${document.documentElement.dataset.content_root}_static/${name}`;
      document.head.append(script);
    });
}

document.addEventListener("DOMContentLoaded", () => {
  forgetEmptyLists();
  ["primary", "secondary"].forEach(finishDrawer);
  for (const link of document.querySelectorAll(".btn-download-source-button")) {
    link.removeAttribute("target");
    link.download = "";
  }
  if (document.querySelector(".interactive")) load("vendor/plot.min.js", "interactive.js");
  if (document.querySelector(".synapse")) load("synapse.js", "synapse_page.js");
  for (const link of document.querySelectorAll(".bd-article figure > a.image-reference"))
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      showLarger(link);
    });
});
