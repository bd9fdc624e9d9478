// The camera of this device, and plain words for why there is none.

const IDEAL = { width: { ideal: 1280 }, height: { ideal: 720 } };
const WHY = {
  NotAllowedError: "The browser does not let this page use the camera. Allow it beside the address of the page, then start again.",
  NotFoundError: "This device has no camera, or none that the browser can see.",
  NotReadableError: "The camera is there but gives no picture. Another program may be using it.",
  OverconstrainedError: "That camera is not there any more. Start again to take another.",
};

/**
 * Return a stream of the camera.
 * @param {string} id Of the camera; empty for the one that the browser takes.
 * @throws {Error} Its message is for people.
 */
export async function openCamera(id) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(insecure());
  const which = id ? { deviceId: { exact: id } } : { facingMode: "user" };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { ...IDEAL, ...which }, audio: false });
  } catch (error) {
    throw new Error(WHY[error.name] ?? `The camera cannot be used: ${error.message}.`);
  }
}

/** Return the cameras of this device, as {id, name}. */
export async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter((device) => device.kind === "videoinput")
    .map((device, index) => ({ id: device.deviceId, name: device.label || `Camera ${index + 1}` }));
}

const insecure = () =>
  "Browsers give the camera only to pages at https or at localhost. On the server's own machine, " +
  `open http://localhost:${location.port || "80"}; for other machines, start the server with ` +
  "--ssl-certfile and --ssl-keyfile.";
