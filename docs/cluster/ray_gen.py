# ray job submit --working-dir . -- python docs/cluster/ray_gen.py [TASKS [CPUS]]
import subprocess
import sys

import ray

tasks, cpus = (int(n) for n in (sys.argv[1:] + ["8", "8"][len(sys.argv) - 1 :]))
ray.init()


# Ray tries an exception again only where it is told so; max_retries alone is about
# workers and machines that die.
@ray.remote(num_cpus=cpus, max_retries=5, retry_exceptions=True)
def gen():
    code = subprocess.run(
        ["wsss", "gen", "-config", "my.toml", "-job", "night", "-quiet", "-set", f"gen.workers={cpus}"]
    ).returncode
    if code not in (0, 2, 3, 5):  # these are final
        raise RuntimeError(f"wsss gen: exit code {code}")
    return code


sys.exit(max(ray.get([gen.remote() for _ in range(tasks)])))
