// Starts the parts of the page.

import { setUpKey } from "./key.js";
import { setUpLookup } from "./lookup.js";
import { setUpOnboarding } from "./onboarding.js";
import { setUpSegments } from "./segments.js";
import { showStatus } from "./status.js";

const segments = setUpSegments();
const lookup = setUpLookup({ onSegment: segments.choose });
const onboarding = setUpOnboarding({ onSegment: segments.choose });

function showAll() {
  showStatus();
  segments.show();
  lookup.show();
  onboarding.show();
}

setUpKey(showAll);
showAll();
