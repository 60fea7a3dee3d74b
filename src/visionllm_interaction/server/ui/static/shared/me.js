// Whose key this is, and what it may do.
import { useEffect, useState } from "../vendor/htm-preact.js";
import { api } from "./api.js";

// null until it is known.
export function useMe() {
  const [me, setMe] = useState(null);
  useEffect(() => {
    api("/me").then(setMe, () => setMe(null));
  }, []);
  return me;
}

export const mayChange = (me) => me !== null && me.role !== "viewer";
