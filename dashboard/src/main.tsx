// Where the page begins.
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { NavigationProvider } from "./app/navigation";
import { SessionProvider } from "./app/session";
import { applyTheme } from "./app/theme";
import { Guard } from "./ui/Guard";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/views.css";

applyTheme();
const root = document.getElementById("root");
if (!root) throw new Error("index.html: found no element #root, expected one");
createRoot(root).render(
  <StrictMode>
    <Guard>
      <NavigationProvider>
        <SessionProvider><App /></SessionProvider>
      </NavigationProvider>
    </Guard>
  </StrictMode>,
);
