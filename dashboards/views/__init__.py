"""One module a page: filters, figures and tables, laid out. What they show is asked for in `dashboards.queries`.

Not named pages: Streamlit takes a folder of that name for pages of its own kind.
"""
