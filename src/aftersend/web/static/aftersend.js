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

  // What markup cannot say: boxes that stand for several of which only some are ticked.
  function settle() {
    for (const box of document.querySelectorAll("[data-mixed]")) box.indeterminate = true;
    for (const all of document.querySelectorAll("[data-pick-all]")) showPicked(all);
    for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  }

  function boxes(all) {
    return [...document.querySelectorAll(`input[name="${all.dataset.pickAll}"]:not(:disabled)`)];
  }

  function showPicked(all) {
    const picked = boxes(all).filter((box) => box.checked).length;
    all.checked = picked > 0 && picked === boxes(all).length;
    all.indeterminate = picked > 0 && !all.checked;
  }

  document.addEventListener("DOMContentLoaded", settle);
  // A list that was changed shows what the server says, not what was chosen before.
  document.addEventListener("htmx:after:swap", () => {
    for (const select of document.querySelectorAll("table.links select")) {
      const said = [...select.options].findIndex((option) => option.defaultSelected);
      if (said >= 0) select.selectedIndex = said;
    }
    for (const box of document.querySelectorAll(".tree input[type=checkbox]")) {
      box.checked = box.defaultChecked;
      box.indeterminate = false;
    }
    settle();
  });

  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-pick-all]");
    if (all) for (const box of boxes(all)) box.checked = all.checked;
    for (const each of document.querySelectorAll("[data-pick-all]")) showPicked(each);
  });

  document.addEventListener("click", (event) => {
    const picked = event.target.closest("[data-pick]");
    if (!picked) return;
    for (const row of document.querySelectorAll(".picked")) row.classList.remove("picked");
    picked.closest("tr, li").classList.add("picked");
    const frame = document.getElementsByName("preview")[0];
    // On narrow screens the message stands below the list.
    if (frame?.getBoundingClientRect().top > innerHeight - 100) frame.scrollIntoView();
  });

  // Copies a text; where that is not allowed, selects it, to be copied by keyboard.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const field = document.getElementById(button.dataset.copy);
    const says = button.querySelector("span");
    try {
      await navigator.clipboard.writeText(field.value);
      says.textContent = "Copied";
      setTimeout(() => { says.textContent = "Copy"; }, 2000);
    } catch {
      field.focus();
      field.select();
    }
  });

  // Pressed twice is asked twice: such a button rests until the answer comes.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-once]")) return;
    event.target.querySelector("button").disabled = true;
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("[data-once] button")) button.disabled = false;
  });

  // An answer that is no success must not replace what is on the page, but for one that says what
  // is wrong with what was typed.
  document.addEventListener("htmx:after:request", (event) => {
    const { response, hx } = event.detail.ctx;
    if (response.status < 400 || response.status === 422 || hx.redirect) return;
    event.preventDefault();
    say(response.status === 429 ? "Too many requests. Wait a minute." : "That did not work. Reload the page and try again.");
  });
  document.addEventListener("htmx:error", () => say("The server does not answer. Check your connection and try again."));
})();
