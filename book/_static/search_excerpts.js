"use strict";

// Adds to each result of the search a passage with what was sought, from SEARCH_TEXTS; html_show_search_summary is off.
document.addEventListener("DOMContentLoaded", () => {
  const words = new URLSearchParams(location.search).get("q")?.toLowerCase().split(/\s+/).filter(Boolean) ?? [];

  function excerpt(text) {
    const lower = text.toLowerCase();
    const first = Math.min(...words.map((word) => lower.indexOf(word)).filter((at) => at >= 0));
    const start = Number.isFinite(first) ? Math.max(0, lower.lastIndexOf(" ", Math.max(0, first - 100)) + 1) : 0;
    const passage = document.createElement("p");
    passage.className = "context";
    const shown = text.slice(start, start + 260);
    passage.append(start > 0 ? "… " : "");
    const known = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    for (const [k, part] of shown.split(new RegExp(`(${known})`, "i")).entries())
      passage.append(k % 2 ? Object.assign(document.createElement("mark"), { textContent: part }) : part);
    passage.append(start + 260 < text.length ? " …" : "");
    return passage;
  }

  function finish(result) {
    const link = result.querySelector("a");
    if (!link || result.querySelector("p.context")) return;
    const [page, section = ""] = link.getAttribute("href").split("?")[0].split("#");
    const texts = SEARCH_TEXTS[page.replace(/\.html$/, "")];
    const text = texts?.[section] || Object.values(texts ?? {}).join(" ");
    if (text) result.append(excerpt(text));
  }

  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) if (node.nodeName === "LI") finish(node);
  }).observe(document.getElementById("search-results"), { childList: true, subtree: true });
});
