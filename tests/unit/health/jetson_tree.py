"""The files of a Jetson Orin Nano with JetPack 6 as far as its health is concerned, laid out in a folder."""

import os

MODEL = "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0"
RELEASE = (
    "# R36 (release), REVISION: 4.7, GCID: 42132812, BOARD: generic, EABI: aarch64, DATE: Thu Sep 18 22:54:44"
    " UTC 2025\n"
    "# KERNEL_VARIANT: oot\n"
)
NVPMODEL = """\
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online

< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=25W >
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< POWER_MODEL ID=3 NAME=7W >
< PM_CONFIG DEFAULT=1 >
"""
GPU = "sys/class/devfreq/17000000.gpu"
FREQUENCIES = "306000000 408000000 510000000 612000000 714000000 816000000 918000000 1020000000 \n"
ZONES = ("cpu", "gpu", "cv0", "cv1", "cv2", "soc0", "soc1", "soc2", "tj")
COOLERS = ("pwm-fan", "cpufreq-cpu0", "cpu-throttle-alert", "gpu-throttle-alert", "hot-surface-alert")
MEMINFO = "MemTotal:        7801852 kB\nMemFree:         3046072 kB\nMemAvailable:    5753852 kB\n"
PROTECTION = "sys/class/hwmon/hwmon3"
RAILS = "sys/class/hwmon/hwmon1"


def write(root, path, text):
    """One file and the folders above it."""
    whole = root / path
    whole.parent.mkdir(parents=True, exist_ok=True)
    whole.write_text(text)
    return whole


def lay_out(root):
    """All files of the box."""
    write(root, "proc/device-tree/model", MODEL)
    write(
        root, "proc/device-tree/compatible", "nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0"
    )
    write(root, "proc/meminfo", MEMINFO)
    write(root, "etc/nv_tegra_release", RELEASE)
    write(root, "etc/nvpmodel.conf", NVPMODEL)
    write(root, "var/lib/nvpmodel/status", "pmode:0002 fmode:quiet\n")
    write(root, "usr/local/cuda/version.json", '{"cuda": {"name": "CUDA SDK", "version": "12.6.11"}}')
    write(root, "usr/lib/aarch64-linux-gnu/libnvinfer.so.10.3.0", "")
    for number, name in enumerate(ZONES):
        write(root, f"sys/class/thermal/thermal_zone{number}/type", f"{name}-thermal\n")
        write(root, f"sys/class/thermal/thermal_zone{number}/temp", f"{46_000 + 187 * number}\n")
    for number, name in enumerate(COOLERS):
        write(root, f"sys/class/thermal/cooling_device{number}/type", f"{name}\n")
        write(root, f"sys/class/thermal/cooling_device{number}/cur_state", "2\n" if name == "pwm-fan" else "0\n")
    for name, text in {
        "cur_freq": "306000000\n",
        "min_freq": "306000000\n",
        "max_freq": "1020000000\n",
        "available_frequencies": FREQUENCIES,
    }.items():
        write(root, f"{GPU}/{name}", text)
    lay_out_sensors(root)
    return root


def lay_out_sensors(root):
    """Power rails and the over-current protection."""
    write(root, f"{RAILS}/name", "ina3221\n")
    for number, (rail, millivolts, milliamperes) in enumerate(
        (("VDD_IN", 5016, 1856), ("VDD_CPU_GPU_CV", 5016, 448), ("VDD_SOC", 5016, 488)), 1
    ):
        write(root, f"{RAILS}/in{number}_label", f"{rail}\n")
        write(root, f"{RAILS}/in{number}_input", f"{millivolts}\n")
        write(root, f"{RAILS}/curr{number}_input", f"{milliamperes}\n")
    write(root, f"{RAILS}/in7_label", "sum of shunt voltages\n")
    write(root, f"{PROTECTION}/name", "soctherm_oc\n")
    for number in (1, 2, 3):
        write(root, f"{PROTECTION}/oc{number}_event_cnt", "0\n")
        write(root, f"{PROTECTION}/oc{number}_throt_en", "1\n")


def put_to_sleep(path):
    """Lets a file answer EAGAIN, as the zone of a sleeping GPU does, while the descriptor that is returned is open."""
    path.unlink()
    os.mkfifo(path)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)
