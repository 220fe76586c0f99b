// Unfold's frame has no landmarks: its bar becomes the banner, the content the main part, unless a page has its own,
// and what is beside that a region.
(function () {
  "use strict";
  document.addEventListener("DOMContentLoaded", function () {
    var frame = document.getElementById("main");
    var content = document.getElementById("content");
    if (!frame || !content) {
      return;
    }
    Array.from(frame.children).forEach(function (part) {
      if (part.contains(content)) {
        return;
      }
      if (part.querySelector("h1")) {
        part.setAttribute("role", "banner");
      } else if (part.textContent.trim()) {
        var isAbove = part.compareDocumentPosition(content) & Node.DOCUMENT_POSITION_FOLLOWING;
        part.setAttribute("role", "region");
        part.setAttribute("aria-label", isAbove ? "Messages" : "Actions");
      }
    });
    if (!document.querySelector("main, [role=main]")) {
      content.setAttribute("role", "main");
    }
  });
})();
