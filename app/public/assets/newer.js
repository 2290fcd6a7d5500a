/* Looks whether there is another page than the one that is shown, and shows it. Reads nothing but its version. */
(function () {
  "use strict";
  function look() {
    var body = document.getElementById("body");
    if (!body) { setTimeout(look, 1000); return; }
    setTimeout(look, Number(body.dataset.every) * 1000);
    if (document.hidden) { return; }
    fetch("/version", { cache: "no-cache" }).then(function (answer) {
      return answer.ok ? answer.text() : body.dataset.version;
    }).then(function (version) {
      if (version !== body.dataset.version) { location.reload(); }
    }).catch(function () { /* away: looked at again */ });
  }
  look();
}());
