// Parts of a page that ask for themselves anew do not while nobody looks, and do at once when somebody looks again.
(function () {
  "use strict";
  document.addEventListener("htmx:beforeRequest", function (event) {
    if (document.visibilityState === "hidden" && event.target.hasAttribute("data-polled")) {
      event.preventDefault();
    }
  });
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "visible") {
      document.body.dispatchEvent(new CustomEvent("looked-at"));
    }
  });
  document.addEventListener("htmx:beforeSwap", function (event) {
    var asked = new URL(event.detail.pathInfo.requestPath, window.location);
    var answered = new URL(event.detail.xhr.responseURL || asked, window.location);
    if (event.target.hasAttribute("data-polled") && answered.pathname !== asked.pathname) {
      event.detail.shouldSwap = false; // led elsewhere: whoever looks has to log in again
      window.location.reload();
    }
  });
  ["htmx:responseError", "htmx:sendError", "htmx:timeout"].forEach(function (kind) {
    document.addEventListener(kind, function (event) {
      if (!event.target.hasAttribute("data-polled")) {
        return;
      }
      var status = event.detail.xhr && event.detail.xhr.status;
      var told = document.createElement("p");
      told.className = "ops-down";
      told.setAttribute("role", "alert");
      told.textContent = "It cannot be loaded: " + (status ? "the server answered " + status : "the server does not answer") + ".";
      event.target.replaceChildren(told);
    });
  });
  document.addEventListener("change", function (event) {
    if (!event.target.matches("[data-checks-all]")) {
      return;
    }
    var form = event.target.form || event.target.closest("form");
    form.querySelectorAll("input[type=checkbox][name=saga]").forEach(function (box) {
      box.checked = event.target.checked;
    });
  });
})();
