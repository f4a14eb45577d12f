// The mark of the project: a way there, and the way back.
import type { ReactNode } from "react";

export const Logo = (): ReactNode => (
  <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" />
    <g fill="none" strokeWidth="2.6" strokeLinecap="round" strokeLinejoin="round">
      <path d="M8 11h12a5 5 0 0 1 0 10H9" />
      <path d="m13 17-4 4 4 4" />
    </g>
    <circle cx="9" cy="11" r="2.8" />
  </svg>
);
