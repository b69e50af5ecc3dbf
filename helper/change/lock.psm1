# lock.psm1: one hand at a time on a server.

# The lock's file, in a folder that only SYSTEM and administrators can write: anybody could make one of that name under ProgramData.
function Get-ExsealLockPath {
    $folder = Join-Path -Path ([Environment]::GetFolderPath('CommonApplicationData')) -ChildPath 'exseal'
    if (-not [IO.Directory]::Exists($folder)) {
        $security = New-Object Security.AccessControl.DirectorySecurity
        $security.SetSecurityDescriptorSddlForm('O:BAG:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)')
        $null = [IO.Directory]::CreateDirectory($folder, $security)
    }
    # 0x400 is a reparse point.
    $owner = [IO.Directory]::GetAccessControl($folder, [Security.AccessControl.AccessControlSections]'Owner').GetOwner([Security.Principal.SecurityIdentifier]).Value
    $isLink = ([int][IO.File]::GetAttributes($folder) -band 0x400) -ne 0
    if ($isLink -or ($owner -ne 'S-1-5-32-544' -and $owner -ne 'S-1-5-18')) {
        throw (New-ExsealError -Code 'FolderNotOurs' -Expected ($folder + ' owned by Administrators or SYSTEM') -Found $owner)
    }
    return (Join-Path -Path $folder -ChildPath 'lock.json')
}

# Opens the lock's file for one alone. Create: it must not be there; nothing comes back when it is. Otherwise nothing comes back when it
# is not. Somebody who has it open at this moment is waited for.
function Open-ExsealLock {
    param([string]$Path, [bool]$Create)
    # 1 CreateNew, 3 Open; 3 ReadWrite; 0 None, 4 Delete.
    $mode = 3
    $share = 4
    if ($Create) {
        $mode = 1
        $share = 0
    }
    $until = [DateTime]::UtcNow.AddSeconds(5)
    while ($true) {
        try { return (New-Object IO.FileStream -ArgumentList $Path, ([IO.FileMode]$mode), ([IO.FileAccess]3), ([IO.FileShare]$share)) }
        catch {
            $number = '{0:X8}' -f $_.Exception.GetBaseException().HResult
            # The file is there; it is not there.
            if ($Create -and $number -eq '80070050') { return $null }
            if (-not $Create -and $number -eq '80070002') { return $null }
            # Somebody has it open, or it is being deleted.
            $busy = $number -eq '80070020' -or $number -eq '80070005'
            if (-not $busy) { throw }
            if ([DateTime]::UtcNow -ge $until) { throw (New-ExsealError -Code 'LockBusy' -Expected 'the lock''s file' -Found ('0x' + $number) -HResult ('0x' + $number)) }
        }
        [Threading.Thread]::Sleep(100)
    }
}

# What the file says, with whether its time is over by the server's clock. A file that says nothing readable is told as such.
function Read-ExsealLock {
    param([IO.FileStream]$Stream)
    $bytes = New-Object byte[] -ArgumentList ([int]$Stream.Length)
    $Stream.Position = 0
    $count = $Stream.Read($bytes, 0, $bytes.Length)
    $parts = @{ owner = $null; plan = $null; run = $null; taken = $null; expires = $null }
    try {
        $read = ConvertFrom-Json -InputObject ([Text.Encoding]::UTF8.GetString($bytes, 0, $count))
        foreach ($name in @($parts.Keys)) { $parts[$name] = [string]$read.$name }
        $end = [DateTime]::ParseExact($parts.expires, 'yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture, [Globalization.DateTimeStyles]'AssumeUniversal, AdjustToUniversal')
        $expired = [DateTime]::UtcNow -ge $end
    }
    catch {
        # Whoever made it died before it was written.
        foreach ($name in @($parts.Keys)) { $parts[$name] = $null }
        $expired = $true
    }
    [pscustomobject]@{ owner = $parts.owner; plan = $parts.plan; run = $parts.run; taken = $parts.taken; expires = $parts.expires; expired = $expired }
}

# Writes a lock that ends some seconds from now, by the server's clock.
function Write-ExsealLock {
    param([IO.FileStream]$Stream, [string]$Owner, [string]$Plan, [string]$Run, [string]$Taken, [int]$Seconds)
    $now = [DateTime]::UtcNow
    if ($Taken -eq '') { $Taken = ConvertTo-ExsealTime -Time $now }
    $lock = [ordered]@{ owner = $Owner; plan = $Plan; run = $Run; taken = $Taken; expires = (ConvertTo-ExsealTime -Time $now.AddSeconds($Seconds)) }
    $bytes = [Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -InputObject $lock -Compress))
    $Stream.Position = 0
    $Stream.Write($bytes, 0, $bytes.Length)
    $Stream.SetLength($bytes.Length)
    $Stream.Flush($true)
    [pscustomobject]@{ owner = $Owner; plan = $Plan; run = $Run; taken = $lock.taken; expires = $lock.expires; expired = $false }
}

# The error of a lock that somebody else holds, or held until its time was over.
function New-ExsealLockError {
    param($Lock)
    $code = 'Locked'
    if ($Lock.expired) { $code = 'LockExpired' }
    $found = 'plan ' + $Lock.plan + ' of ' + $Lock.owner + ' until ' + $Lock.expires
    New-ExsealError -Code $code -Expected 'nobody else who changes this server' -Found $found -Holder $Lock
}

function Get-ExsealLock {
    <#
    .SYNOPSIS
    Tells who holds the lock of this server. Nothing is changed.
    #>
    [CmdletBinding()]
    param()
    try {
        $lock = $null
        $path = Join-Path -Path ([Environment]::GetFolderPath('CommonApplicationData')) -ChildPath 'exseal\lock.json'
        if ([IO.File]::Exists($path)) {
            $stream = Open-ExsealLock -Path $path -Create $false
            if ($null -ne $stream) {
                try { $lock = Read-ExsealLock -Stream $stream } finally { $stream.Dispose() }
            }
        }
        New-ExsealResult -Changed $false -Before $lock -After $lock
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $false)) }
}

function Lock-ExsealServer {
    <#
    .SYNOPSIS
    Takes the lock of this server for a run, or renews it where the run has it already. Held by somebody else, it is refused with who.
    .PARAMETER Owner
    Who works, for those who find the lock: user and machine.
    .PARAMETER Run
    The run of the plan: a run that was broken off and goes on has the same.
    .PARAMETER TakeExpired
    Whether a lock of somebody else whose time is over is taken. Without it that is refused, too, and told.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidateLength(1, 200)][string]$Owner,
        [Parameter(Mandatory = $true)][ValidateLength(1, 100)][string]$Plan,
        [Parameter(Mandatory = $true)][ValidateLength(1, 100)][string]$Run,
        [Parameter(Mandatory = $true)][ValidateRange(1, 86400)][int]$Seconds,
        [bool]$TakeExpired = $false
    )
    $acting = $false
    $stream = $null
    try {
        $path = Get-ExsealLockPath
        $acting = $true
        $stream = Open-ExsealLock -Path $path -Create $true
        if ($null -ne $stream) {
            try { $after = Write-ExsealLock -Stream $stream -Owner $Owner -Plan $Plan -Run $Run -Taken '' -Seconds $Seconds }
            catch {
                # A disk without room: a lock that says nothing would only be in the way.
                $stream.Dispose()
                [IO.File]::Delete($path)
                throw
            }
            return (New-ExsealResult -Changed $true -Before $null -After $after)
        }
        $acting = $false
        $stream = Open-ExsealLock -Path $path -Create $false
        if ($null -eq $stream) { throw (New-ExsealError -Code 'LockBusy' -Expected 'the lock''s file' -Found 'one that came and went') }
        $before = Read-ExsealLock -Stream $stream
        $taken = ''
        if ($before.plan -eq $Plan -and $before.run -eq $Run) { $taken = $before.taken }
        elseif (-not ($before.expired -and $TakeExpired)) { throw (New-ExsealLockError -Lock $before) }
        $acting = $true
        $after = Write-ExsealLock -Stream $stream -Owner $Owner -Plan $Plan -Run $Run -Taken $taken -Seconds $Seconds
        New-ExsealResult -Changed $true -Before $before -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
    finally { if ($null -ne $stream) { $stream.Dispose() } }
}

function Update-ExsealLock {
    <#
    .SYNOPSIS
    Renews the lock of this server for the run that has it. A run that has lost it is told so.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidateLength(1, 100)][string]$Plan,
        [Parameter(Mandatory = $true)][ValidateLength(1, 100)][string]$Run,
        [Parameter(Mandatory = $true)][ValidateRange(1, 86400)][int]$Seconds
    )
    $acting = $false
    $stream = $null
    try {
        $stream = Open-ExsealLock -Path (Get-ExsealLockPath) -Create $false
        if ($null -eq $stream) { throw (New-ExsealError -Code 'NotHeld' -Expected ('the lock of run ' + $Run) -Found 'none') }
        $before = Read-ExsealLock -Stream $stream
        if ($before.plan -ne $Plan -or $before.run -ne $Run) { throw (New-ExsealLockError -Lock $before) }
        $acting = $true
        $after = Write-ExsealLock -Stream $stream -Owner $before.owner -Plan $Plan -Run $Run -Taken $before.taken -Seconds $Seconds
        New-ExsealResult -Changed $true -Before $before -After $after
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
    finally { if ($null -ne $stream) { $stream.Dispose() } }
}

function Unlock-ExsealServer {
    <#
    .SYNOPSIS
    Gives the lock of this server back. A lock that is not there is given back already; one of somebody else is left.
    #>
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)][ValidateLength(1, 100)][string]$Plan,
        [Parameter(Mandatory = $true)][ValidateLength(1, 100)][string]$Run
    )
    $acting = $false
    $stream = $null
    try {
        $path = Get-ExsealLockPath
        $stream = Open-ExsealLock -Path $path -Create $false
        if ($null -eq $stream) { return (New-ExsealResult -Changed $false -Before $null -After $null) }
        $before = Read-ExsealLock -Stream $stream
        if ($before.plan -ne $Plan -or $before.run -ne $Run) { throw (New-ExsealLockError -Lock $before) }
        $acting = $true
        # Deleted while it is still held, so that nobody comes between.
        [IO.File]::Delete($path)
        New-ExsealResult -Changed $true -Before $before -After $null
    }
    catch { $PSCmdlet.ThrowTerminatingError((ConvertTo-ExsealError -Record $_ -Acting $acting)) }
    finally { if ($null -ne $stream) { $stream.Dispose() } }
}

Export-ModuleMember -Function Get-ExsealLock, Lock-ExsealServer, Update-ExsealLock, Unlock-ExsealServer
