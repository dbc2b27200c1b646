"""Put in front of PYTHONPATH by the fault tests, so that loky's workers are prepared as well."""

import sys

if any("popen_loky" in word for word in sys.orig_argv):
    import driver

    driver.install()
