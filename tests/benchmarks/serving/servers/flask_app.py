"""Flask behind gunicorn."""

import native
from flask import Flask, jsonify, request

app = Flask(__name__)
model = native.load()


@app.post("/predict")
def predict():
    rows = request.get_json()["rows"]
    return jsonify(predictions=native.predict(model, rows).tolist())
