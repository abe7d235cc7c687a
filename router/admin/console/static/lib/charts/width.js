// Measures how wide an element is.
import { useLayoutEffect, useRef, useState } from "../html.js";

/** The width of the element that gets `box` as its `ref`; 0 until it is known. */
export function useWidth() {
  const box = useRef(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const look = () => setWidth(box.current?.clientWidth ?? 0);
    const observer = new ResizeObserver(look);
    observer.observe(box.current);
    look();
    return () => observer.disconnect();
  }, []);
  return { box, width };
}
