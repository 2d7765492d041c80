"""Serving over HTTP: three protocols, typed by contract, within limits, for whoever may call.

app                   one ASGI application: hot paths by hand, the rest by FastAPI
site                  what is not asked often: health, metadata, outcomes, metrics, documentation
questions             a request's body into a question, an answer into a body
documentation         the page with forms; openapi and schemas, pure, from the contracts that serve
outcomes              labels that come later
runs                  a run that is asked for
predict  invocations  open_inference   the protocols, pure; bodies, binary and texts are how values come in them
typing  cells         cells into typed columns, by contract, pure
rows                  what a request holds, whatever its protocol, and where each cell stands in its body
intake  guard         how much is read of a request; who may call
api_keys  keyring     the keys in their file; as a running server knows them
connections           how long a client may take for a request's head
replies  problems     what goes back; why not
engine                what is asked of an engine
metrics  request_log  request_ids
"""
