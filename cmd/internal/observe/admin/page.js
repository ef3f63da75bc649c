// Brings the page up to date: the server makes its main part anew, which takes the place of the old.
"use strict";
(() => {
  const every = 10000;
  const stale = document.getElementById("stale");

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch("?part=main", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const open of document.querySelectorAll("main details[open]")) {
        fresh.getElementById(open.id)?.setAttribute("open", "");
      }
      document.querySelector("main").replaceWith(fresh.querySelector("main"));
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    }
  }

  setInterval(refresh, every);
  document.addEventListener("visibilitychange", refresh);
})();
