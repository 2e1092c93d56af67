"""Shrinks an exported file, where the graph's text can outweigh a tiny model's
weights: equal constants become one, copies go, and PyTorch's long names of
nodes and values become short ones. Inputs and outputs keep theirs."""
import onnx


def merge(graph, keep):
    """Drops repeated constants and identities of the main graph."""
    instead, seen, nodes = {}, {}, []
    for node in graph.node:
        node.input[:] = [instead.get(n, n) for n in node.input]
        for a in node.attribute:
            for inner in a.g.node:
                inner.input[:] = [instead.get(n, n) for n in inner.input]
        key = node.attribute[0].SerializeToString() if node.op_type == "Constant" else None
        if node.output[0] in keep:
            nodes.append(node)
        elif node.op_type == "Identity":
            instead[node.output[0]] = node.input[0]
        elif key is not None and key in seen:
            instead[node.output[0]] = seen[key]
        else:
            if key is not None:
                seen[key] = node.output[0]
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def compact(path):
    model = onnx.load(path)
    keep = {v.name for v in list(model.graph.input) + list(model.graph.output)}
    short = {"": ""}

    def name(old):
        if old in keep:
            return old
        if old not in short:
            short[old] = f"v{len(short):x}"
        return short[old]

    def walk(graph):
        del graph.value_info[:]
        for w in graph.initializer:
            w.name = name(w.name)
        for node in graph.node:
            node.name = node.doc_string = ""
            node.input[:] = [name(n) for n in node.input]
            node.output[:] = [name(n) for n in node.output]
            for a in node.attribute:
                a.doc_string = ""
                if a.HasField("g"):
                    walk(a.g)
                    for v in a.g.output:
                        v.name = name(v.name)

    merge(model.graph, keep)
    walk(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, path)
