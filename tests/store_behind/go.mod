module modgate.test/store_behind

go 1.22
