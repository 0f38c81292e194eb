"""TorchServe: a handler for rows as JSON; loading and calling are BaseHandler's."""

import torch
from ts.torch_handler.base_handler import BaseHandler


class Handler(BaseHandler):
    def preprocess(self, data):
        self.sizes = []
        parts = []
        for request in data:
            rows = torch.tensor(request.get("data") or request.get("body"), dtype=torch.float32)
            self.sizes.append(len(rows))
            parts.append(rows)
        return torch.cat(parts)

    def postprocess(self, answers):
        return [part.tolist() for part in torch.split(answers, self.sizes)]
