#!/usr/bin/env python3
"""Trains and exports the tiny zoo. Needs PyTorch (1.13 tried) and Pillow.

  go run ./models/foundation/zoo/genscenes -out DIR
  python3 make_zoo.py sam --data DIR [--minutes 9]     # repeat until "done"

Training is cut into pieces: run the same command again to go on from the
checkpoint; the ONNX files are written after every piece.
"""
import argparse
import importlib
import os
import sys

STEPS = {"sam": 5300, "gdino": 2150, "clip": 850, "ram": 800, "blip2": 600, "saliency": 400, "signatures": 0}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=sorted(STEPS))
    parser.add_argument("--data", required=True, help="folder written by genscenes")
    parser.add_argument("--minutes", type=float, default=9, help="length of this piece")
    parser.add_argument("--steps", type=int, help="total steps")
    parser.add_argument("--work", default="zoo_ckpt", help="folder for checkpoints")
    parser.add_argument("--out", default=os.path.dirname(os.path.abspath(__file__)), help="folder for the ONNX files")
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    module = importlib.import_module(f"nets.train_{args.family}")
    ckpt = os.path.join(args.work, args.family + ".pt")
    done = module.run(args.data, ckpt, args.steps or STEPS[args.family], args.minutes, args.out)
    print("done" if done else "not done: run again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
