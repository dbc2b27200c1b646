"""The three-stage training of ``mot`` as a good PyTorch user would write it: one compiled step.

The same mathematics as ``jax_baseline.py``: cubic activation, J neurons an expert, expected
routing, squared loss, float64, full batch. Gradients by ``torch.func``, so a step (forward,
backward, update) is one graph for ``torch.compile``.

``program`` says how w·z is contracted. 'literal' builds z and then w·z, as the formula is written.
'tuned' is the fastest found by trial: points last, w·x_k first and then averaged, scores and
averages as fused products and sums instead of batched products of tiny matrices, and five steps a
call, which saves dispatch.
``cached=False`` evaluates the attention inside the step, whatever the stage trains: nothing moves
it out of the loop, which is Python's. ``cached=True`` computes what the frozen attention
contributes once, before the loop.
"""

import time

import numpy as np
import torch

COMPILED = {}  # programs of this process, by stage, options and shapes
STEPS_A_CALL = 5  # of 'tuned'; compile time grows with it, and ten are no faster


def use_one_thread():
    """Limit PyTorch to the calling thread."""
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 256  # one graph a stage and shape, by intention


def attend(attention, tokens):
    """z, shape (M, P, L, d)."""
    transformed = torch.einsum("ple,ide->ipld", tokens, attention)
    scores = torch.einsum("ipld,pkd->iplk", transformed, tokens)
    return torch.einsum("iplk,pkd->ipld", torch.softmax(scores, -1), tokens)


def project(ffn, z):
    """w_ij·z_il, shape (M, J, P, L); z without its first axis if the experts share it."""
    if ffn.shape[1] == 1:
        subscripts = "pld,id->ipl" if z.ndim == 3 else "ipld,id->ipl"
        return torch.einsum(subscripts, z, ffn[:, 0])[:, None]
    return torch.einsum("pld,ijd->ijpl" if z.ndim == 3 else "ipld,ijd->ijpl", z, ffn)


def averages_points_last(attention, columns, length):
    """Attention weights (M, k, l, P) from tokens (d, L * P)."""
    experts, dim, _ = attention.shape
    moved = (attention.reshape(experts * dim, dim) @ columns).reshape(experts, dim, 1, length, -1)
    scores = (columns.reshape(1, dim, length, 1, -1) * moved).sum(1)
    return torch.softmax(scores, 1)


def project_points_last(ffn, columns, averages):
    """w_ij·z_il, shape (M, J, P, L), from averages (M, k, l, P) or, shared, (1, k, l, P)."""
    experts, neurons, dim = ffn.shape
    length = averages.shape[1]
    values = (ffn.reshape(-1, dim) @ columns).reshape(experts, neurons, length, 1, -1)
    return (averages[:, None] * values).sum(2).transpose(2, 3)


def losses(u, gate, token_sums, labels, weights, routing_scale):
    """Training loss over the exact routing noise, and the noise-free top-1 loss."""
    f = (u**3).sum((1, 3))
    h = gate @ token_sums.T
    outputs = torch.softmax(h, 0) * f
    q = torch.softmax(h / routing_scale, 0).detach()
    training = (q * 0.5 * (labels - outputs) ** 2).sum(0) @ weights
    routed = outputs.detach().gather(0, h.detach().argmax(0)[None])[0]
    return training, 0.5 * (labels - routed) ** 2 @ weights


def neuron_inputs(stage, program, cached, length):
    """Return u (M, J, P, L) as a function of what trains, what does not, and the tokens."""
    if stage.trains == "attention":
        if program == "tuned":
            return lambda a, w, x: project_points_last(w, x, averages_points_last(a, x, length))
        return lambda a, w, x: project(w, attend(a, x))
    if program == "tuned":
        if cached:
            return lambda w, averages, x: project_points_last(w, x, averages)
        return lambda w, a, x: project_points_last(w, x, averages_points_last(a, x, length))
    if cached:
        return lambda w, z, x: project(w, z)
    return lambda w, a, x: project(w, attend(a, x))


def step_function(stage, inputs_of, steps):
    """Return a compiled function that takes some steps."""

    def objective(trained, gate, other, tokens, problem, routing_scale):
        token_sums, labels, weights = problem
        u = inputs_of(trained, other, tokens)
        return losses(u, gate, token_sums, labels, weights, routing_scale)

    slope = torch.func.grad(objective, (0, 1), has_aux=True)

    def take(trained, gate, other, tokens, problem, rates):
        step_size, gate_step_size, routing_scale = rates
        found = []
        for _ in range(steps):
            (g, g_gate), loss = slope(trained, gate, other, tokens, problem, routing_scale)
            if stage.normalized:
                g = g / (g**2).sum(tuple(range(1, g.ndim)), keepdim=True).sqrt()
            trained = trained - step_size * g
            gate = gate - gate_step_size * g_gate
            found.append(loss)
        return trained, gate, torch.stack(found)

    return torch.compile(take, fullgraph=True, dynamic=False)


def frozen_part(attention, tokens, columns, program):
    """What a frozen attention contributes, once; one copy if all experts have the same."""
    if bool((attention == attention[:1]).all()):
        attention = attention[:1]
    if program == "tuned":
        return averages_points_last(attention, columns, tokens.shape[1]).contiguous()
    z = attend(attention, tokens)
    return z[0] if len(z) == 1 else z


def begin_stage(stage, ffn, attention, tokens, columns, cached, program):
    """What trains and what does not; computes the frozen part if it is cached."""
    if stage.trains == "attention":
        return attention, ffn
    if cached:
        return ffn, frozen_part(attention, tokens, columns, program)
    return ffn, attention


@torch.no_grad()
def train(tokens, labels, weights, ffn, attention, stages, cached, program="literal"):
    """Train from W = ffn, A = attention and Θ = 0 through ``stages`` (``jax_baseline.Stage``).

    Arguments and the returned dict are those of ``jax_baseline.train``; what is computed once for
    a frozen attention counts in the seconds of its stage.
    """
    given = (tokens, labels, weights, ffn, attention)
    tokens, labels, weights, ffn, attention = (torch.tensor(np.asarray(a)) for a in given)
    length, dim = tokens.shape[1:]
    gate = torch.zeros(len(ffn), dim, dtype=torch.float64)
    columns = tokens.permute(2, 1, 0).reshape(dim, -1).contiguous()
    problem = (tokens.sum(1), labels, weights)
    x = columns if program == "tuned" else tokens
    traces, seconds, processor_seconds, compile_seconds = [], [], [], []
    for stage in stages:
        steps = STEPS_A_CALL if program == "tuned" and stage.steps % STEPS_A_CALL == 0 else 1
        trains_attention = stage.trains == "attention"
        rates = tuple(
            torch.tensor(float(a), dtype=torch.float64)
            for a in (stage.step_size, stage.gate_step_size, stage.routing_scale)
        )

        begin = time.perf_counter()
        trained, other = begin_stage(stage, ffn, attention, tokens, columns, cached, program)
        key = (stage.trains, stage.normalized, program, cached, steps)
        key += tuple(a.shape for a in (trained, other, x))
        if key not in COMPILED:
            inputs_of = neuron_inputs(stage, program, cached, length)
            COMPILED[key] = step_function(stage, inputs_of, steps)
            COMPILED[key](trained, gate, other, x, problem, rates)
        compile_seconds.append(time.perf_counter() - begin)
        begin, begin_processor = time.perf_counter(), time.process_time()
        trained, other = begin_stage(stage, ffn, attention, tokens, columns, cached, program)
        found = []
        for _ in range(stage.steps // steps):
            trained, gate, loss = COMPILED[key](trained, gate, other, x, problem, rates)
            found.append(loss)
        traces.append(torch.cat(found).numpy())
        seconds.append(time.perf_counter() - begin)
        processor_seconds.append(time.process_time() - begin_processor)
        ffn, attention = (ffn, trained) if trains_attention else (trained, attention)
    return {
        "ffn": ffn.numpy(),
        "attention": attention.numpy(),
        "gate": gate.numpy(),
        "losses": traces,
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "compile_seconds": compile_seconds,
    }
