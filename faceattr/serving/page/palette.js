// The colors of faceattr/palette.py, which people who are color-blind can tell apart.

export const COLORS = [
  "#56b4e9", "#e69f00", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
  "#882255", "#44aa99", "#332288", "#999933",
];
export const FACE_COLOR = COLORS[0];
export const UNCERTAIN_COLOR = "#999999";
export const LABEL_COLORS = {
  angry: "#d55e00",
  disgust: "#009e73",
  fear: "#cc79a7",
  happy: "#f0e442",
  sad: "#0072b2",
  surprise: "#56b4e9",
  neutral: "#dddddd",
  woman: "#e69f00",
  man: "#44aa99",
  other: UNCERTAIN_COLOR,
};

/** Return the color of a label among all labels of its classification, in their order. */
export function colorOf(label, labels) {
  if (Object.hasOwn(LABEL_COLORS, label)) return LABEL_COLORS[label];
  const taken = labels.map((one) => LABEL_COLORS[one]);
  const free = COLORS.filter((color) => !taken.includes(color));
  const colors = free.length ? free : COLORS;
  const others = labels.filter((one) => !Object.hasOwn(LABEL_COLORS, one));
  return colors[Math.max(others.indexOf(label), 0) % colors.length];
}

/** Return the color of a track; tracks are numbered from 1. */
export const trackColor = (id) => COLORS[(id - 1) % 7];

/** Return black or white, whichever is easier to read on a color. */
export function inkOn(color) {
  const luminance = luminanceOf(color);
  return 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 ? "#ffffff" : "#000000";
}

function luminanceOf(color) {
  const [red, green, blue] = [1, 3, 5].map((place) => {
    const value = parseInt(color.slice(place, place + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
