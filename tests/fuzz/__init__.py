"""Coverage-guided fuzzing of the gate: `make fuzz`.

`gate` is one run of the gate on one input, and what must hold then; it needs no fuzzer, and `make test` gives it what is kept in
`corpus`. `mutations` makes inputs of inputs. `__main__` is driven by atheris, which `scripts/fuzz.sh` installs apart.
"""
