// docutils calls the bibliography a list, but its entries are none; a screen reader would be told of an empty one
document.addEventListener("DOMContentLoaded", () => {
  for (const list of document.querySelectorAll(".citation-list")) list.removeAttribute("role");
});
