// What the public view draws with: bars, dots (in plotly's core) and the map. Every other kind of chart is left out.
const Plotly = require("plotly.js/lib/core");

Plotly.register([require("plotly.js/lib/bar"), require("plotly.js/lib/choropleth")]);
module.exports = Plotly;
