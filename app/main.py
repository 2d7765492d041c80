"""The app's router: `make app`. One file a page; every page reads and none writes."""

from __future__ import annotations

import streamlit as st

st.set_page_config(page_title="Workbench", page_icon="🧪", layout="wide")
page = st.navigation(
    [
        st.Page("pages/runs.py", title="Runs", icon="🏃", default=True),
        st.Page("pages/models.py", title="Models", icon="📦"),
        st.Page("pages/alerts.py", title="Alerts", icon="🔔"),
    ],
    position="top",
)
page.run()
