#!/bin/busybox sh
# The guest's first program, in its initial file system: loads drivers, mounts the root file system and the checkout,
# and hands over to the agent. Nothing else runs in the guest.
export PATH=/bin:/usr/sbin:/usr/bin:/sbin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for name in virtio_pci virtio_blk virtio_console crc32c_generic ext4 9pnet_virtio 9p overlay configfs; do
    modprobe "$name" || echo "takt: no module $name"
done

tries=0
until mount -t ext4 -o noatime /dev/vda /new 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || { echo "takt: no root file system"; poweroff -f; }
    sleep 0.1
done
mkdir -p /new/lib/modules
cp -a /lib/modules/* /new/lib/modules/
for place in /tmp /run /root; do
    mount -t tmpfs tmpfs "/new$place"
done
mkdir -p /new/dev
mount --move /proc /new/proc
mount --move /sys /new/sys
mount --move /dev /new/dev
mkdir -p /new/dev/shm
mount -t tmpfs tmpfs /new/dev/shm
mount -t configfs configfs /new/sys/kernel/config
mount -t debugfs debugfs /new/sys/kernel/debug
mount -t tracefs tracefs /new/sys/kernel/tracing
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro takt /new/mnt || poweroff -f
# What Python compiles of the checkout stays in memory.
mkdir -p /new/run/upper /new/run/work
mount -t overlay -o lowerdir=/new/mnt,upperdir=/new/run/upper,workdir=/new/run/work takt /new/takt || poweroff -f
ip link set lo up

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PYTHONPATH=/takt
exec switch_root /new /bin/sh -c "cd /takt; python3 -u tests/hil/agent.py; echo o >/proc/sysrq-trigger; sleep 60"
