"""`workbench up`: what makes the loop close by itself.

supervisor    one process that starts the parts, starts them again, ends them; it does nothing else
├── scheduler     looks at triggers, puts requests into the queue, starts the runs whose turn it is
│   └── requested     one run, as `workbench queue run ID`: goes on when the service dies
├── server        `workbench serve`
├── app           the Streamlit app
└── mlflow        `workbench mlflow`
"""
