"""Put in front of PYTHONPATH by the fault tests, so that loky's workers are prepared as well."""

import os
import sys
import time

if any("popen_loky" in word for word in sys.orig_argv):
    time.sleep(float(os.environ.get("MOTSIM_FAULT_SLOW_START", "0")))
    import driver

    driver.install()
