"""The app's router: `make app`. One file a page; pages show, ask and acknowledge, and run nothing."""

from __future__ import annotations

import streamlit as st
from access import admit, show_told, show_user

# By file below pages/: title and icon. Emoji: for material icons a browser asks another host for fonts.
PAGES = {
    "overview": ("Overview", "🧭"),
    "runs": ("Runs", "🏃"),
    "data": ("Data", "🧺"),
    "models": ("Models", "📦"),
    "monitoring": ("Monitoring", "🔔"),
    "serving": ("Serving", "📡"),
    "automation": ("Automation", "⏰"),
}

st.set_page_config(page_title="Workbench", page_icon="🧪", layout="wide")
st.html("<style>.stMainBlockContainer { padding-top: 4.5rem }</style>")
admit()
page = st.navigation(
    [
        st.Page(f"pages/{file}.py", title=title, icon=icon, url_path=file, default=file == "overview")
        for file, (title, icon) in PAGES.items()
    ],
    position="top",
)
show_told()
page.run()
show_user()
