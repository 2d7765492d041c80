"""Data: for now, where the terminal shows it."""

from __future__ import annotations

import streamlit as st

st.title("Data", anchor=False)
st.info("Not in the app yet; in the terminal: `workbench contract`", icon="🚧")
