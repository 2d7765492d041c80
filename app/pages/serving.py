"""Serving: for now, where the terminal shows it."""

from __future__ import annotations

import streamlit as st

st.title("Serving", anchor=False)
st.info("Not in the app yet; in the terminal: `workbench predictions`", icon="🚧")
