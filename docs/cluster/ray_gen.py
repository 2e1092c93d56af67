# ray job submit --working-dir . -- python docs/cluster/ray_gen.py
import subprocess

import ray

ray.init()


@ray.remote(num_cpus=8, max_retries=5)
def gen():
    code = subprocess.run(["wsss", "gen", "-config", "my.toml", "-job", "night", "-quiet"]).returncode
    if code not in (0, 2, 3, 5):  # 2, 3 and 5 are final
        raise RuntimeError(f"wsss gen: exit code {code}")
    return code


print(ray.get([gen.remote() for _ in range(8)]))
