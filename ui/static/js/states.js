// The states that a line can be in, as they are drawn.

/** @type {Record<string, string>} */
export const STATE_ICONS = {
  RUNNING: "running",
  DEGRADED: "warn",
  PURGING: "purging",
  STOPPED: "stopped",
  NO_CAMERA: "camera-off",
  NO_DATA: "nodata",
};
