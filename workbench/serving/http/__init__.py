"""Serving over HTTP: three protocols, typed by contract, within limits, for whoever may call.

app                 one ASGI application: hot paths by hand, the rest by FastAPI
site                what is not asked often: health, metadata, outcomes, metrics, documentation
questions           a request's body into a question, an answer into a body
predict  invocations  open_inference   the protocols, pure
binary              tensors as bytes: the Open Inference Protocol's extension
typing              cells into typed columns, by contract, pure
intake  guard       how much is read of a request; who may call
connections         how long a client may take for a request's head
openapi             the OpenAPI document, from the contracts that serve, pure
metrics  request_log  problems  api_keys  rows
"""
