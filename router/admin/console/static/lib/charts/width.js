// Measures how wide an element is.
import { useLayoutEffect, useState } from "../html.js";

/**
 * The width of the element that gets `box` as its `ref`; 0 while there is none, as while a chart is
 * shown as a table.
 */
export function useWidth() {
  const [element, box] = useState(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    if (!element) return undefined;
    const look = () => setWidth(element.clientWidth);
    const observer = new ResizeObserver(look);
    observer.observe(element);
    look();
    return () => observer.disconnect();
  }, [element]);
  return { box, width };
}
