// Builds the files that the gateway serves. Never here: an inline script or style, which its Content-Security-Policy
// refuses, and anything that is fetched from elsewhere.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const gateway = process.env["REACTOR_GATEWAY"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/dashboard/",
  plugins: [react()],
  build: {
    outDir: "../operator/src/reactor_operator/gateway/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: ["chrome123", "firefox121", "safari17.5"],
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
  },
  server: { proxy: { "/api": { target: gateway } } },
});
