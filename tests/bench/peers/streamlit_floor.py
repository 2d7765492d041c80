"""A page of Streamlit's with next to nothing on it: what the browser, the server and the wire cost by themselves."""

from __future__ import annotations

import streamlit as st

st.title("Floor", anchor=False)
chosen = st.segmented_control("View", ["one", "two"], default="one", label_visibility="collapsed")
st.markdown(f"This is view {chosen}.")
