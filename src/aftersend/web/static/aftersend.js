// What the pages do beyond links and forms. Loaded in the head, so that no page flashes in the
// wrong colours. Without it everything still works, only less comfortably.

(() => {
  const root = document.documentElement;
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  const choices = ["auto", "light", "dark"];

  function choice() {
    const kept = localStorage.getItem("theme");
    return choices.includes(kept) ? kept : "auto";
  }

  function applyTheme() {
    const chosen = choice();
    const dark = chosen === "dark" || (chosen === "auto" && isDark.matches);
    root.dataset.bsTheme = dark ? "dark" : "light";
    root.dataset.themeChoice = chosen;
    document.dispatchEvent(new CustomEvent("aftersend:theme"));
  }

  function say(text) {
    const box = document.getElementById("trouble");
    if (!box) return;
    box.querySelector("[data-text]").textContent = text;
    box.hidden = false;
  }

  applyTheme();
  isDark.addEventListener("change", applyTheme);

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-theme-next],[data-close]");
    if (target?.matches("[data-theme-next]")) {
      localStorage.setItem("theme", choices[(choices.indexOf(choice()) + 1) % choices.length]);
      applyTheme();
    } else if (target?.matches("[data-close]")) {
      target.closest("[data-closable]").hidden = true;
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // An answer that is no success must not replace what is on the page.
  document.addEventListener("htmx:after:request", (event) => {
    const { response, hx } = event.detail.ctx;
    if (response.status < 400 || hx.redirect) return;
    event.preventDefault();
    say(response.status === 429 ? "Too many requests. Wait a minute." : "That did not work. Reload the page and try again.");
  });
  document.addEventListener("htmx:error", () => say("The server does not answer. Check your connection and try again."));
})();
